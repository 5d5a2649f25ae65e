"""The page of the local Slack: what people see and do in a browser.

`page/built/` holds the page as built from `web/` by `make web`.
"""
