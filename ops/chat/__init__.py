"""The inbound chat: `status` and `kill` of known people, and nothing else for anybody."""
