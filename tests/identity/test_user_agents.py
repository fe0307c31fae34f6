"""User agents in words."""

import pytest

from apps.identity.user_agents import device_of

CHROME = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0 Safari/537.36"


@pytest.mark.parametrize(
    ("agent", "label", "phone"),
    [
        (CHROME, "Chrome · Linux", False),
        (CHROME + " Edg/130.0", "Edge · Linux", False),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Version/18 Safari/604.1",
            "Safari · iPhone",
            True,
        ),
        ("curl/8.1", "", False),
        ("", "", False),
    ],
)
def test_a_user_agent_names_browser_and_system(agent: str, label: str, phone: bool) -> None:
    assert (device_of(agent).label, device_of(agent).phone) == (label, phone)
