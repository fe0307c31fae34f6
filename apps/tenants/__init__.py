"""Tenants: owns tenants, hosts and plans; offers their lifecycle and provisioning; must never read a tenant's records."""
