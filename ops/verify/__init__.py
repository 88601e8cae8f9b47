"""Exact comparison: fingerprints, seals, and a control that shows the verifier able to fail.

compare.compare / gather / judge / TtlRule / Comparer, sides.LinesSide / TableSide / RecordsSide / index_side,
seal.Seal / SealSubject / seal_of / write_records / read_records, control.stream_control,
fingerprint.recorder / TableDigest, attributes.attribute_changes.
"""
