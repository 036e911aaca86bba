"""The search index: vectors in FAISS and BM25 in Tantivy, a cache that is built from the catalog."""
