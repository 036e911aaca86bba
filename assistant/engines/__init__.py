"""The engines that write answers, their worker process and their queue."""
