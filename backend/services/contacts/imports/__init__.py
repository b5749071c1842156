"""Files of contacts: read, mapped, checked without storing anything, carried out in batches, and undone.

A file comes as CSV in any delimiter and encoding, as XLSX, or as vCards. All three are rows of cells from `formats` on.
The work (`work`) goes on from the last batch that was committed, in any process.
"""
