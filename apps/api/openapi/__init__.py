"""The OpenAPI 3.1 document: from the doors' descriptions, with the tenant's objects as the caller sees them."""
