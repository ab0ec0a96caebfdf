"""The registry room: lists of artifacts, versions and logged models: filtered, sorted, page by page."""
