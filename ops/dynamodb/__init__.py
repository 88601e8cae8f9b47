"""The data plane: what we do ourselves, item by item.

client.DataPlane / data_plane, table.Table / describe_table, scan.Scan / ScanRequest / Cursor, query.QueryRequest /
query / get_item / get_items, write.BulkWriter / WriteTarget / put_item / update_item / delete_item,
expressions.parse_where / parse_sort, attributes.validate_item / item_size / from_plain / to_plain / key_value.
"""
