"""The members of the firm, as WeCom shows them."""
