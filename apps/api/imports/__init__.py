"""Files and rows coming in over HTTP: imported at once, or as a job that can be stopped, resumed and taken back."""
