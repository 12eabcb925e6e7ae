namespace Mesh.Meshctl.Demo;

/// <summary>An nginx with a configuration of its own: it knows nothing of the mesh, and answers with its name.</summary>
internal sealed class NginxServer
{
    public const int Port = 8080;

    private NginxServer(string name, string folder)
    {
        Name = name;
        Folder = folder;
    }

    public string Name { get; }

    public string Folder { get; }

    public IReadOnlyList<string> Command => ["nginx", "-p", Folder, "-c", Path.Combine(Folder, "nginx.conf"), "-e", Path.Combine(Folder, "error.log")];

    /// <summary>While this file exists every request is answered with 500.</summary>
    public string FailFlag => Path.Combine(Folder, "fail");

    public static NginxServer Create(string root, string name, string secret)
    {
        var folder = Path.Combine(root, name);
        Directory.CreateDirectory(Path.Combine(folder, "www"));
        var server = new NginxServer(name, folder);

        // One process in the foreground, owned by root: nginx would otherwise change to, or give its folders to, a user that an unprivileged
        // user namespace does not have.
        File.WriteAllText(Path.Combine(folder, "nginx.conf"),
            $$"""
            user root root;
            daemon off;
            master_process off;
            pid {{folder}}/nginx.pid;
            events { worker_connections 1024; }
            http {
                log_format demo '$remote_addr "$request" $status marker=$http_x_marker';
                access_log {{folder}}/access.log demo;
                client_body_temp_path {{folder}}/body;
                proxy_temp_path {{folder}}/proxy;
                fastcgi_temp_path {{folder}}/fastcgi;
                uwsgi_temp_path {{folder}}/uwsgi;
                scgi_temp_path {{folder}}/scgi;
                default_type text/plain;
                keepalive_requests 100000;
                server {
                    listen {{Port}};
                    root {{folder}}/www;
                    location / {
                        if (-f {{folder}}/fail) { return 500 "{{name}} is broken"; }
                        return 200 "{{name}}";
                    }
                    location = /secret { return 200 "{{name}} {{secret}}"; }
                    location = /slow.bin { limit_rate 2k; }
                }
            }
            """);
        // An hour at 2 kB/s: long enough to be cut in the middle.
        using var slow = File.Create(Path.Combine(folder, "www", "slow.bin"));
        slow.SetLength(8 * 1024 * 1024);
        return server;
    }

    public IReadOnlyList<string> AccessLog
    {
        get
        {
            var file = Path.Combine(Folder, "access.log");
            if (!File.Exists(file))
                return [];
            using var reader = new StreamReader(new FileStream(file, FileMode.Open, FileAccess.Read, FileShare.ReadWrite));
            return reader.ReadToEnd().Split('\n', StringSplitOptions.RemoveEmptyEntries);
        }
    }
}
