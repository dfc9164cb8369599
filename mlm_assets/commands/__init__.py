"""What the commands of `mlm` do, one module each; `mlm_assets.cli` only parses their arguments."""
