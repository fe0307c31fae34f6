"""The fixtures of the test world: three objects in two tenants, and people with different rights on them."""

from tests.objects.world import inside, published, wiped, world  # noqa: F401
