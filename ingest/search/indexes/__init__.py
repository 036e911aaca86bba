"""FAISS and Tantivy over the record: a cache that can always be made anew."""
