"""The service stubs of grpcio-tools as a plugin for buf, which only knows how to ask plugins and protoc's own generators."""

import pathlib
import sys
import tempfile

from google.protobuf import descriptor_pb2
from google.protobuf.compiler import plugin_pb2
from grpc_tools import protoc

request = plugin_pb2.CodeGeneratorRequest.FromString(sys.stdin.buffer.read())
response = plugin_pb2.CodeGeneratorResponse(supported_features=plugin_pb2.CodeGeneratorResponse.FEATURE_PROTO3_OPTIONAL)
with tempfile.TemporaryDirectory() as folder:
    out = pathlib.Path(folder)
    contracts = out / "contracts.binpb"
    contracts.write_bytes(descriptor_pb2.FileDescriptorSet(file=request.proto_file).SerializeToString())
    arguments = ["protoc", f"--descriptor_set_in={contracts}", f"--grpc_python_out={out}", *request.file_to_generate]
    if protoc.main(arguments) != 0:
        sys.exit("grpc_tools.protoc failed")
    for file in sorted(out.rglob("*.py")):
        response.file.add(name=str(file.relative_to(out)), content=file.read_text())
sys.stdout.buffer.write(response.SerializeToString())
