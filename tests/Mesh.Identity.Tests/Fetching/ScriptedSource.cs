using System.Threading.Channels;
using Mesh.Identity.Certificates;
using Mesh.Identity.Fetching;
using Mesh.Model;

namespace Mesh.Identity.Tests.Fetching;

/// <summary>An authority whose every answer the test gives by hand.</summary>
internal sealed class ScriptedSource : ICertificateSource
{
    private readonly Channel<Call> _calls = Channel.CreateUnbounded<Call>();

    public async Task<WorkloadCertificate> FetchAsync(SpiffeId id, CancellationToken cancellation)
    {
        var call = new Call(id);
        await _calls.Writer.WriteAsync(call, CancellationToken.None);
        return await call.Answer.Task.WaitAsync(cancellation);
    }

    public async Task<Call> NextAsync() => await _calls.Reader.ReadAsync();

    public bool HasCall => _calls.Reader.TryPeek(out _);

    internal sealed class Call(SpiffeId id)
    {
        public SpiffeId Id { get; } = id;

        public TaskCompletionSource<WorkloadCertificate> Answer { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public void Fail(string why = "authority says no") => Answer.SetException(new CertificateException(CertificateFailure.Refused, why));

        public void Succeed(WorkloadCertificate certificate) => Answer.SetResult(certificate);
    }
}
