"""stub"""

import re


def get_backup_name(tabs, prefix):
    ns = [int(m[1]) for t in tabs if (m := re.fullmatch(re.escape(prefix) + r"(\d+)", t))]
    return f"{prefix}{max(len(tabs) - 1, max(ns, default=-1) + 1, 0)}"
