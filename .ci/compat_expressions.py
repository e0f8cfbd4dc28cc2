"""Renders every expression of a recorded file with real dbt's Jinja: compat_expressions.py FILE NEW.

FILE is a list of [expression, answer]; an answer of null means that dbt refuses it.
"""

import json
import sys
from decimal import Decimal

from dbt.clients.jinja import get_rendered
from dbt.context.base import BaseContext, get_context_modules
from dbt.flags import get_flags

# modules.itertools asks for it, as a command line would have set it
object.__setattr__(get_flags(), "show_all_deprecations", False)

NAMES = "set set_strict zip zip_strict toyaml fromyaml tojson fromjson diff_of_two_dicts local_md5".split()


def context():
    # as a query gives them
    names = {"modules": get_context_modules(), "decimal": Decimal}
    for name in NAMES:
        member = getattr(BaseContext, "_" + name, None) or getattr(BaseContext, name)
        member = getattr(member, "inner", member)
        names[name] = getattr(member, "__func__", member)
    return names


def answer(expression):
    template = expression if "{%" in expression else "{{ (%s) | string }}" % expression
    try:
        return get_rendered(template, context())
    except Exception:
        return None


with open(sys.argv[1]) as file:
    lines = [json.dumps([e, answer(e)], ensure_ascii=False) for e, _ in json.load(file)]
# dbt itself prints warnings
with open(sys.argv[2], "w") as file:
    file.write("[\n" + ",\n".join(lines) + "\n]\n")
