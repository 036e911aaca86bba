"""The library as LlamaIndex sees it: a retriever and a vector store."""
