"""The assets, one module per group. Each reads the lake, calls domain code or one SQL file, writes, and reports."""
