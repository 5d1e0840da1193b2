"""The repair plan's three designs, as it describes them, defects included: `baseline`, `lock` and `lua`.

None of the defects is to be repaired here: the harness exists to show what these designs do.
"""
