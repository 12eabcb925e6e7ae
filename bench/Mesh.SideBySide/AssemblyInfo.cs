// Namespaces, veth pairs and unix sockets: there is no other platform for this tool.
[assembly: System.Runtime.Versioning.SupportedOSPlatform("linux")]
