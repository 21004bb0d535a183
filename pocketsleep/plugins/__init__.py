"""pocketsleep in other people's programs. docs/plugins.md has their settings.

    llm_model          a model for the `llm` command (entry point in its group `llm`)
    openwebui_filter   one file that is pasted into Open WebUI; imports nothing of pocketsleep
"""
