using System.Buffers;
using System.Text.Json;
using Mesh.Identity.Fetching;
using Mesh.Runtime.Admin;
using Mesh.Waypoint.Configuration;
using Mesh.Xds.Client;

namespace Mesh.Waypoint.Admin;

/// <summary>The pages of the admin port: what is configured, what state it is in.</summary>
internal static class AdminPages
{
    public static AdminRoutes MapWaypoint(this AdminRoutes routes, WaypointConfiguration configuration, CertificateCache certificates, DeltaXdsClient xds) => routes
        .Map("/config_dump", http => AdminReply.JsonAsync(http, Write(w => WriteConfiguration(w, configuration, xds))))
        .Map("/clusters", http => AdminReply.JsonAsync(http, Write(w => WriteClusters(w, configuration))))
        .Map("/certs", http => AdminReply.JsonAsync(http, Write(w => WriteCertificates(w, certificates))));

    private static ReadOnlyMemory<byte> Write(Action<Utf8JsonWriter> write)
    {
        var buffer = new ArrayBufferWriter<byte>();
        using (var writer = new Utf8JsonWriter(buffer, new JsonWriterOptions { Indented = true }))
            write(writer);
        return buffer.WrittenMemory;
    }

    private static void WriteConfiguration(Utf8JsonWriter writer, WaypointConfiguration configuration, DeltaXdsClient xds)
    {
        var table = configuration.Routes;
        var status = xds.Status;
        writer.WriteStartObject();
        writer.WriteNumber("version", table.Version);
        writer.WriteStartObject("controlPlane");
        writer.WriteBoolean("connected", status.Connected);
        writer.WriteString("lastError", status.LastError);
        writer.WriteEndObject();
        writer.WriteStartArray("services");
        foreach (var destination in table.Destinations.OrderBy(d => d.Name, StringComparer.Ordinal))
        {
            writer.WriteStartObject();
            writer.WriteString("name", destination.Name);
            writer.WriteString("namespace", destination.Namespace);
            writer.WriteString("hostname", destination.Hostname);
            WriteStrings(writer, "addresses", destination.Addresses.Select(a => a.ToString()));
            WriteStrings(writer, "policies", destination.PolicyNames);
            writer.WriteStartArray("ports");
            foreach (var (number, port) in destination.Ports)
            {
                writer.WriteStartObject();
                writer.WriteNumber("port", number);
                writer.WriteString("protocol", port.Protocol.ToString());
                writer.WriteString("defaultCluster", port.DefaultCluster?.Name);
                writer.WriteStartArray("routes");
                foreach (var route in port.Routes)
                {
                    writer.WriteStartObject();
                    writer.WriteString("name", route.Name);
                    writer.WriteString("origin", route.Origin);
                    if (route.Forward is { } forward)
                        WriteStrings(writer, "clusters", forward.Targets.Items.Select(t => t.Cluster.Name));
                    writer.WriteEndObject();
                }

                writer.WriteEndArray();
                writer.WriteEndObject();
            }

            writer.WriteEndArray();
            writer.WriteEndObject();
        }

        writer.WriteEndArray();
        writer.WriteEndObject();
    }

    private static void WriteClusters(Utf8JsonWriter writer, WaypointConfiguration configuration)
    {
        writer.WriteStartArray();
        foreach (var cluster in configuration.Clusters.All.OrderBy(c => c.Name, StringComparer.Ordinal))
        {
            writer.WriteStartObject();
            writer.WriteString("name", cluster.Name);
            writer.WriteBoolean("received", cluster.View is not null);
            writer.WriteNumber("activeRequests", cluster.Circuit.Requests);
            writer.WriteStartArray("endpoints");
            foreach (var endpoint in cluster.View?.All ?? [])
            {
                writer.WriteStartObject();
                writer.WriteString("address", endpoint.Text);
                writer.WriteString("workload", endpoint.Description.WorkloadName);
                writer.WriteBoolean("hbone", endpoint.Description.Hbone);
                writer.WriteNumber("weight", endpoint.Weight);
                writer.WriteBoolean("healthy", endpoint.Description.Healthy);
                writer.WriteBoolean("ejected", endpoint.Outlier.IsEjected);
                writer.WriteNumber("ejectionsInARow", endpoint.Outlier.EjectionMultiplier);
                if (endpoint.PushedBackUntil > DateTimeOffset.UnixEpoch)
                    writer.WriteString("pushedBackUntil", endpoint.PushedBackUntil);
                writer.WriteNumber("activeRequests", endpoint.Active);
                writer.WriteEndObject();
            }

            writer.WriteEndArray();
            writer.WriteEndObject();
        }

        writer.WriteEndArray();
    }

    private static void WriteCertificates(Utf8JsonWriter writer, CertificateCache certificates)
    {
        writer.WriteStartArray();
        foreach (var status in certificates.Statuses)
        {
            writer.WriteStartObject();
            writer.WriteString("identity", status.Identity.ToString());
            writer.WriteString("state", status.State.ToString());
            writer.WriteString("error", status.Error);
            if (status.Certificate is { } certificate)
            {
                writer.WriteString("serialNumber", certificate.Leaf.SerialNumber);
                writer.WriteString("notBefore", certificate.NotBefore);
                writer.WriteString("notAfter", certificate.NotAfter);
            }

            writer.WriteEndObject();
        }

        writer.WriteEndArray();
    }

    private static void WriteStrings(Utf8JsonWriter writer, string name, IEnumerable<string> values)
    {
        writer.WriteStartArray(name);
        foreach (var value in values)
            writer.WriteStringValue(value);
        writer.WriteEndArray();
    }
}
