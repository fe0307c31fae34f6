"""Records as files: CSV, JSON and XLSX, streamed page by page, safe to open in a spreadsheet."""
