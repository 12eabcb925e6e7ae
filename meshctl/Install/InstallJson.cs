using System.Text.Json.Nodes;
using System.Text.Json.Serialization;

namespace Mesh.Meshctl.Install;

[JsonSerializable(typeof(JsonObject))]
internal sealed partial class InstallJson : JsonSerializerContext;
