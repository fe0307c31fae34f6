"""Leads: twelve columns, as the object that AI-BOS serves."""

import uuid

from django.db import models


class Lead(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    name = models.CharField(max_length=160)
    company = models.CharField(max_length=200)
    email = models.EmailField(null=True)
    phone = models.CharField(max_length=40, null=True)
    status = models.CharField(max_length=20)
    source = models.CharField(max_length=20, null=True)
    city = models.CharField(max_length=100, null=True)
    country = models.CharField(max_length=80, null=True)
    score = models.IntegerField(null=True)
    expected_value = models.DecimalField(max_digits=14, decimal_places=2, null=True)
    notes = models.TextField(null=True)
    owner_id = models.UUIDField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        app_label = "leads"
        db_table = "bench_lead"
        indexes = [models.Index(fields=["status", "-score", "id"], name="bench_lead_list")]
