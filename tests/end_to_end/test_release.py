"""The release workflow: what it publishes, and that it cannot start by itself."""

import re
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
WORKFLOW = ROOT / ".github" / "workflows" / "release.yml"
JOBS = yaml.safe_load(WORKFLOW.read_text("utf-8"))


def projects():
    for path in (ROOT / "pyproject.toml", *ROOT.glob("packages/*/pyproject.toml")):
        yield re.search(r'^name = "(.+)"$', path.read_text("utf-8"), re.MULTILINE)[1]


def test_it_runs_for_a_tag_alone_and_where_a_variable_switches_it_on():
    assert JOBS[True] == {"push": {"tags": ["v*"]}}  # YAML reads the key `on` as true
    jobs = JOBS["jobs"]
    assert jobs["test"]["if"] == "vars.RELEASE == 'on'"
    assert (jobs["build"]["needs"], jobs["publish"]["needs"]) == ("test", "build")


def test_every_distribution_is_published_and_kakehashi_first():
    published = JOBS["jobs"]["publish"]["strategy"]["matrix"]["distribution"]
    assert published[0] == "kakehashi"
    assert sorted(published) == sorted(projects())


def test_only_the_job_that_publishes_may_ask_for_an_identity():
    assert JOBS["permissions"] == {"contents": "read"}
    asking = [name for name, job in JOBS["jobs"].items() if "id-token" in str(job)]
    assert asking == ["publish"]
    assert JOBS["jobs"]["publish"]["environment"] == "pypi"
    assert "secrets." not in WORKFLOW.read_text("utf-8")
