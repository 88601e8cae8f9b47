"""What moto lacks, one module per AWS truth; `install` puts them in place, `claims` lists them."""
