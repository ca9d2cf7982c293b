"""A portal of ten years: one module, `SQLAlchemy(app)`, numbered users, no CSRFProtect."""
