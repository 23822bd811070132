"""The campaign over the gateway: `python -m tests.gateway_campaign`."""
