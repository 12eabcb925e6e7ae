namespace Mesh.Http2.Limits;

/// <summary>Every budget of one connection; the options say what each counts and why it has its size.</summary>
internal sealed class AbuseBudgets(Http2Options options)
{
    private AbuseBudget _resets = new(options.ResetStreams);
    private AbuseBudget _refusals = new(options.RefusedStreams);
    private AbuseBudget _settings = new(options.SettingsFrames);
    private AbuseBudget _pings = new(options.PingFrames);
    private AbuseBudget _emptyData = new(options.EmptyDataFrames);
    private AbuseBudget _tinyData = new(options.TinyDataFrames);
    private AbuseBudget _ignored = new(options.IgnoredFrames);

    public bool TrySpendReset() => _resets.TrySpend();

    public bool TrySpendRefusal() => _refusals.TrySpend();

    public bool TrySpendSettings() => _settings.TrySpend();

    public bool TrySpendPing() => _pings.TrySpend();

    public bool TrySpendEmptyData() => _emptyData.TrySpend();

    public bool TrySpendTinyData() => _tinyData.TrySpend();

    public bool TrySpendIgnored() => _ignored.TrySpend();

    public void Refill()
    {
        _resets.Refill();
        _refusals.Refill();
        _settings.Refill();
        _pings.Refill();
        _emptyData.Refill();
        _tinyData.Refill();
        _ignored.Refill();
    }
}
