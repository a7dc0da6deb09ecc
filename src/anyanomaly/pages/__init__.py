"""Parts that the report, the page of `show` and the pages of `bench` share: templates, style, charts, evidence."""
