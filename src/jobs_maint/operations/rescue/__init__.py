"""Jobs whose worker is gone: noticed, shown, put back."""
