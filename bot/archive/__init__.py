"""The conversation archive (会话内容存档): pulled, kept encrypted, searched, and proved whole."""
