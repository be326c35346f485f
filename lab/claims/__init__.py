"""The claims of the article, each computed by this program; `render_claims.py` puts them together."""
