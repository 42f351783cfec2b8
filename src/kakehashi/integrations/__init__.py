"""Native types of LangChain, LlamaIndex and Chroma. They convert types and delegate."""
