"""Language models behind an OpenAI-compatible Chat Completions API: one question, one answer or one failure.

The client goes through the guarded egress. It knows no database and no person: who asks gives plain values.
"""

from backend.llm.client import Client
from backend.llm.endpoint import Endpoint
from backend.llm.errors import ModelFailed
from backend.llm.values import Answer, Call, Message, Question, Tool, Usage

__all__ = ["Answer", "Call", "Client", "Endpoint", "Message", "ModelFailed", "Question", "Tool", "Usage"]
