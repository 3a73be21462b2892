#!/bin/sh
# Generates the Swift code of the messages in Protocols/. Run it from the top of the repository after a change there.
#
# Needs protoc (Debian: protobuf-compiler). The Swift plugin is the one of the swift-protobuf version that Package.swift
# names; set PROTOC_GEN_SWIFT to use one that is already built. For each row of the table below the command is
#   protoc -I Protocols --plugin=protoc-gen-swift=$plugin --swift_out=<folder> --swift_opt=Visibility=Package \
#     --swift_opt=FileNaming=DropPath --swift_opt=UseAccessLevelOnImports=true <file>
set -eu
cd "$(dirname "$0")/.."

plugin=${PROTOC_GEN_SWIFT:-.build/checkouts/swift-protobuf/.build/debug/protoc-gen-swift}
if [ ! -x "$plugin" ]; then
    swift package resolve
    swift build --package-path .build/checkouts/swift-protobuf --product protoc-gen-swift
    plugin=.build/checkouts/swift-protobuf/.build/debug/protoc-gen-swift
fi

while read -r proto folder; do
    [ -f "Protocols/$proto" ] || continue
    mkdir -p "$folder"
    protoc -I Protocols --plugin="protoc-gen-swift=$plugin" --swift_out="$folder" --swift_opt=Visibility=Package \
        --swift_opt=FileNaming=DropPath --swift_opt=UseAccessLevelOnImports=true "$proto"
    # The plugin's own first lines tell swift-format to leave the file alone.
    echo "$folder/${proto%.proto}.pb.swift"
done <<'TABLE'
bodies.proto Sources/Tickets/Generated
envelope.proto Sources/Replication/Generated
sync.proto Sources/Replication/Generated
TABLE
