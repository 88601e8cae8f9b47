"""Back up, restore and prove the recovery of a DynamoDB + RDS environment."""
