using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Mesh.IstiodLite.Certificates;
using Mesh.Runtime;

namespace Mesh.IstiodLite.Commands;

/// <summary>istiod-lite rotate-root and revoke: what the holder of the state folder may ask of the authority.</summary>
internal static class AuthorityCommands
{
    // A list must say until when it counts (RFC 5280 5.1.2.5); readers of this mesh go on using one that is out of date.
    private static readonly TimeSpan _listLife = TimeSpan.FromDays(365);

    public static int RotateRoot(RotateRootOptions options, TextWriter output, TextWriter error)
    {
        if (!File.Exists(Path.Combine(options.StateDir, SelfMadeRoot.KeyFile)))
            return Fail(error, ExitCodes.Usage, $"{options.StateDir} holds no root of our own; a plugged-in one is replaced where it was made");
        try
        {
            StateFiles.Replace(Path.Combine(options.StateDir, SelfMadeRoot.RequestFile), "");
        }
        catch (StateException e)
        {
            return Fail(error, e.ExitCode, e.Message);
        }

        output.WriteLine("asked for a new root; the control plane's log and its page /debug/ca tell how far it is");
        return ExitCodes.Ok;
    }

    public static int Revoke(RevokeOptions options, TextWriter output, TextWriter error)
    {
        try
        {
            var secret = StateFiles.ReadSecret(Path.Combine(options.StateDir, SelfMadeRoot.KeyFile));
            if (secret is null)
                return Fail(error, ExitCodes.Usage, $"{options.StateDir} holds no root of our own; put the list of a plugged-in one beside it as {PluggedInAuthority.CrlFile}");
            var roots = RootFile.Parse(secret);
            using var certificate = X509CertificateLoader.LoadCertificateFromFile(options.Certificate);
            var issuer = ((X509Certificate2?[])[roots.Signer, roots.Next]).FirstOrDefault(r => r is not null && IsIssuedBy(certificate, r));
            if (issuer is null)
                return Fail(error, ExitCodes.Data, $"{options.Certificate} was not signed by the root that signs now; one that is being retired ends by itself");
            var path = Path.Combine(options.StateDir, PluggedInAuthority.CrlFile);
            var list = File.Exists(path) ? CertificateRevocationListBuilder.LoadPem(File.ReadAllText(path), out var number) : Empty(out number);
            list.AddEntry(certificate);
            var now = TimeProvider.System.GetUtcNow();
            StateFiles.Replace(path, PemEncoding.WriteString("X509 CRL", list.Build(issuer, number + 1, now + _listLife, HashAlgorithmName.SHA256, thisUpdate: now)) + "\n");
            output.WriteLine($"{certificate.SerialNumber} is on the list {path}; proxies with CRL_PATH set to it refuse the certificate within seconds");
            return ExitCodes.Ok;
        }
        catch (StateException e)
        {
            return Fail(error, e.ExitCode, e.Message);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or CryptographicException)
        {
            return Fail(error, ExitCodes.Data, e.Message);
        }
    }

    private static CertificateRevocationListBuilder Empty(out System.Numerics.BigInteger number)
    {
        number = 0;
        return new CertificateRevocationListBuilder();
    }

    private static bool IsIssuedBy(X509Certificate2 certificate, X509Certificate2 root)
    {
        using var chain = new X509Chain
        {
            ChainPolicy = { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck, DisableCertificateDownloads = true, VerificationFlags = X509VerificationFlags.IgnoreNotTimeValid },
        };
        chain.ChainPolicy.CustomTrustStore.Add(root);
        return chain.Build(certificate);
    }

    private static int Fail(TextWriter error, int code, string message)
    {
        error.WriteLine($"istiod-lite: {message}");
        return code;
    }
}
