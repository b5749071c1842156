"""One module writes the job history."""

from __future__ import annotations

import ast
from pathlib import Path

from sqlalchemy import select

import backend
from backend.core import clock
from backend.core.database import db, system_scope
from backend.models import JobRun
from backend.services import job_history


def test_a_failure_says_what_it_was_about_and_why(app) -> None:
    job_history.record_failure("a job", "broken", "things:7", detail="in two")
    db.session.commit()
    with system_scope("a test"):
        run = db.session.execute(select(JobRun)).scalar_one()
    assert (run.job, run.state, run.code, run.subject, run.detail) == (
        "a job",
        "failed",
        "broken",
        "things:7",
        "in two",
    )
    assert (run.workspace_id, run.triggered_by) == (None, None)
    assert run.started_at == run.finished_at
    assert run.started_at <= clock.now()


def test_nothing_else_makes_entries() -> None:
    root = Path(backend.__file__).parent
    making = {
        path.relative_to(root).as_posix()
        for path in root.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "JobRun"
    }
    assert making == {"services/job_history.py"}


def test_nothing_else_computes_pauses() -> None:
    """A power of two, or of a number of tries, in a service is a formula of its own."""
    services = Path(backend.__file__).parent / "services"
    computing = {
        path.relative_to(services).as_posix()
        for path in services.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow) and not isinstance(node.right, ast.Constant)
    }
    assert computing == set()
