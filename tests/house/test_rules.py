# SPDX-License-Identifier: GPL-3.0-or-later
"""Each rule can say no, and says yes to what is right beside it."""

import importlib.machinery
import importlib.util
import os
import shutil
import subprocess

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))


def load_check():
    loader = importlib.machinery.SourceFileLoader("check", os.path.join(HERE, "check"))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("check", loader))
    loader.exec_module(module)
    return module


check = load_check()
LONG = "int f(void)\n{\n" + "    g();\n" * 110 + "    return 0;\n}\n"
EXTERN = 'extern "C"\n{\n' + "int g(void);\n" * 110 + "}\n"
SHORT = "int f(void)\n{\n    return 0;\n}\n"

# REUSE-IgnoreStart
LICENSED = "// SPDX-License-Identifier: GPL-3.0-or-later\n"

# rule, path, what it refuses, what it lets pass
CASES = [
    ("clang-format", "a.c", "int f( void ) { return 0; }\n", SHORT),
    ("banned-calls", "a.c", "void f(char *a)\n{\n    strcpy(a, a);\n}\n",
     'void f(void)\n{\n    g("strcpy(x)"); /* strcpy(a, b) */\n    my_system(1);\n}\n'),
    ("stray-includes", "services/a.c", "#include <grpc/grpc.h>\n", '#include "grpc/health/v1/health.pb-c.h"\n'),
    ("stray-includes", "lib/stop/a.c", "#include <gsl/gsl_cdf.h>\n", "#include <math.h>\n"),
    ("stray-includes", "db/a.c", "#include <libpq-fe.h>\n", "// #include <libpq-fe.h>\n"),
    ("stray-includes", "db/store/a.c", "#include <sqlite3.h>\n", "#include <libpq-fe.h>\n"),
    ("function-length", "a.c", LONG, SHORT),
    ("function-length", "a.h", LONG.replace("int f(void)", "static int f(int a,\n             int b)"), EXTERN),
    ("header-comment", "a.h", "#ifndef A_H\n", "/*\n * Answers for a.\n */\n"),
    ("file-length", "a.py", "x = 1\n" * 801, "x = 1\n" * 800),
    ("spdx", "lib/base/a.c", SHORT, "// SPDX-License-Identifier: Apache-2.0\n"),
    ("spdx", "lib/space/a.c", "// SPDX-License-Identifier: Apache-2.0\n",
     "// SPDX-License-Identifier: GPL-3.0-or-later\n"),
    ("document-paths", "a.md", "see `lib/gone.c`\n", "see `lib/there.c`, `build/x`, `lib/*.c`, `and/or`\n"),
    ("document-paths", "a.md", "see [it](gone.md)\n", "see [it](lib/there.c) and [web](https://example.org/x)\n"),
    ("metrics", "services/a/metrics.c", '{.name = "besom_gone_total", .type = METRIC_COUNTER, .help = "x"}\n', "// none\n"),
    ("metrics", "docs/metrics.md", "| `besom_gone_total` | counter |  | Never. |\n", "| what | type |\n"),
    ("metrics", "deploy/prometheus/a.yaml", "expr: rate(besom_gone_total[5m]) > 0\n", "expr: up == 0\n"),
    ("metrics", "deploy/grafana/a.json", '"expr": "besom_gone_seconds_bucket"\n', '"title": "besom_gone"\n'),
    ("metrics", "deploy/prometheus/a.rules.yaml", "  - alert: Bad\n    expr: up == 0\n", "  - record: x\n"),
    ("metrics", "deploy/prometheus/a.yaml", "runbook_url: https://x/docs/operations.md#gone\n", "summary: x\n"),
    ("unfinished", "a.c", "/* TO" "DO: finish */\n", 'char t[] = "/tmp/x-XXXXXX";\n'),
    ("machine-paths", "a.md", "cd /ho" "me/me/besom\n", "cd ~/besom; ls lib/work/x\n"),
    ("shellcheck", "a.sh", "#!/bin/sh\nread -r x <<< 1\n", "#!/bin/sh\nset -eu\n"),
]
# REUSE-IgnoreEnd


def complaints(rule, root):
    return list(check.RULES[rule](check.Tree(root)))


def write(root, name, text):
    path = os.path.join(root, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    return path


@pytest.mark.parametrize("rule,name,bad,good", CASES, ids=[f"{case[0]}:{case[1]}" for case in CASES])
def test_rule_says_no_and_yes(tmp_path, rule, name, bad, good):
    write(tmp_path, "lib/there.c", SHORT if rule != "spdx" else LICENSED)
    shutil.copy(os.path.join(HERE, "..", "..", ".clang-format"), tmp_path)
    write(tmp_path, name, bad)
    refused = complaints(rule, tmp_path)
    assert refused and name in refused[0]
    write(tmp_path, name, good)
    assert complaints(rule, tmp_path) == []


def test_file_names(tmp_path):
    write(tmp_path, "lib/string_utils.c", "")
    write(tmp_path, "lib/mutils.c", "")
    assert [line.split(":")[0] for line in complaints("file-names", tmp_path)] == ["lib/string_utils.c"]


def test_readmes(tmp_path):
    write(tmp_path, "lib/README.md", "")
    write(tmp_path, "lib/data/x.sql", "")
    assert complaints("readmes", tmp_path) == []
    write(tmp_path, "lib/rpc/CMakeLists.txt", "")
    write(tmp_path, "tests/unit/x.c", "")
    assert complaints("readmes", tmp_path) == ["lib/rpc: no README.md", "tests/unit: no README.md"]


def test_executable_scripts(tmp_path):
    path = write(tmp_path, "run", "#!/bin/sh\n")
    assert complaints("executable-scripts", tmp_path) == ["run: has a shebang but is not executable"]
    os.chmod(path, 0o755)
    assert complaints("executable-scripts", tmp_path) == []


def commit(root, subject):
    subprocess.run(["git", "-C", root, "-c", "user.name=t", "-c", "user.email=t@example.org", "commit", "-q",
                    "--allow-empty", "-m", subject], check=True)


def test_commit_subjects(tmp_path):
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    commit(tmp_path, "base: add the arena")
    assert complaints("commit-subjects", tmp_path) == []
    for subject in ("Added stuff", "base: add it.", "base: " + "x" * 70):
        commit(tmp_path, subject)
    assert len(complaints("commit-subjects", tmp_path)) == 3


def test_every_rule_has_a_test():
    tested = {case[0] for case in CASES} | {"file-names", "readmes", "executable-scripts", "commit-subjects"}
    assert tested == set(check.RULES)


def test_program_exits_1_and_names_the_rule(tmp_path):
    write(tmp_path, "a.c", "\nint x = rand();\n")
    result = subprocess.run([os.path.join(HERE, "check"), "--root", tmp_path, "banned-calls"],
                            capture_output=True, text=True)
    assert result.returncode == 1
    assert result.stdout.startswith("a.c:2: rand() is banned [banned-calls]\n")
