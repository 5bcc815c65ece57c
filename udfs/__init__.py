"""The kinds of SQL function that come with sqlml, one a file; each defines `UDF`."""
