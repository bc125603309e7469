"""AWS's own client library as the judge of what the hub sends to Bedrock.

Standard input holds one JSON object: the requests as the vendor saw them, the
keys they were signed with, and answers of the scripted vendor. botocore
validates each request against its model of the service, writes it anew and
signs it anew; both have to come out the same. It reads the answers, too, so
that the scripted vendor answers as the real one.
"""

import base64
import datetime
import io
import json
import sys
import urllib.parse

import botocore.session
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.eventstream import EventStream
from botocore.parsers import create_parser
from botocore.serialize import create_serializer
from botocore.validate import ParamValidator

SERVICE = botocore.session.get_session().get_service_model("bedrock-runtime")
OPERATIONS = {"converse": "Converse", "converse-stream": "ConverseStream", "invoke": "InvokeModel"}


def with_bytes(value, shape):
    """The value with each base64 text where the model has bytes as those bytes."""
    kind = shape.type_name
    if kind == "blob":
        return base64.b64decode(value, validate=True)
    if kind == "structure" and not shape.is_document_type:
        members = shape.members
        return {k: with_bytes(v, members[k]) if k in members else v for k, v in value.items()}
    if kind == "list":
        return [with_bytes(item, shape.member) for item in value]
    return value


def check_shape(seen):
    _, _, segment, method = urllib.parse.urlsplit(seen["path"]).path.split("/")
    operation = SERVICE.operation_model(OPERATIONS[method])
    model = urllib.parse.unquote(segment)
    body = base64.b64decode(seen["body"])
    if method == "invoke":
        params = {"modelId": model, "body": body, "contentType": seen["headers"]["content-type"]}
    else:
        params = {"modelId": model, **with_bytes(json.loads(body), operation.input_shape)}
    report = ParamValidator().validate(params, operation.input_shape)
    assert not report.has_errors(), report.generate_report()
    written = create_serializer("rest-json").serialize_to_request(params, operation)
    # botocore leaves the letters of an ARN as they are in `url_path` and escapes them on the wire.
    assert urllib.parse.unquote(written["url_path"]) == urllib.parse.unquote(seen["path"]), written["url_path"]
    if method != "invoke":
        assert json.loads(written["body"]) == json.loads(body), written["body"]


def check_signature(seen, keys):
    headers = seen["headers"]
    fields = dict(part.split("=", 1) for part in headers["authorization"].split(" ", 1)[1].split(", "))
    signed = {name: headers[name] for name in fields["SignedHeaders"].split(";")}
    request = AWSRequest(
        method=seen["method"],
        url=f"http://{headers['host']}{seen['path']}",
        headers=signed,
        data=base64.b64decode(seen["body"]),
    )
    request.context["timestamp"] = headers["x-amz-date"]
    auth = SigV4Auth(Credentials(keys["id"], keys["secret"]), "bedrock", keys["region"])
    text = auth.string_to_sign(request, auth.canonical_request(request))
    assert auth.signature(text, request) == fields["Signature"], text
    datetime.datetime.strptime(headers["x-amz-date"], "%Y%m%dT%H%M%SZ")


def check_whole(answer):
    shape = SERVICE.operation_model("Converse").output_shape
    body = {"body": base64.b64decode(answer), "headers": {}, "status_code": 200}
    parsed = create_parser("rest-json").parse(body, shape)
    parsed.pop("ResponseMetadata")
    report = ParamValidator().validate(parsed, shape)
    assert not report.has_errors(), report.generate_report()


class Raw(io.BytesIO):
    """A body as botocore's HTTP layer hands it over."""

    def stream(self):
        yield self.read()


def check_stream(answer):
    shape = SERVICE.operation_model("ConverseStream").output_shape.members["stream"]
    parser = create_parser("rest-json")._event_stream_parser
    events = list(EventStream(Raw(base64.b64decode(answer)), shape, parser, "ConverseStream"))
    names = [name for event in events for name in event]
    assert names[0] == "messageStart" and names[-2:] == ["messageStop", "metadata"], names


def main():
    given = json.load(sys.stdin)
    checks = [(check_shape, (seen,)) for seen in given["requests"]]
    checks += [(check_signature, (seen, given["keys"])) for seen in given["requests"]]
    checks += [(check_whole, (answer,)) for answer in given["answers"]]
    checks += [(check_stream, (answer,)) for answer in given["streams"]]
    failed = 0
    for check, arguments in checks:
        try:
            check(*arguments)
        except Exception as error:  # every finding is told, not only the first one
            failed += 1
            print(f"{check.__name__}: {type(error).__name__}: {error}", file=sys.stderr)
    print(f"{len(checks) - failed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


main()
