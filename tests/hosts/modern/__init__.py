"""A portal made last year: factory, typed models, CSRFProtect, a nonce in its content policy."""
