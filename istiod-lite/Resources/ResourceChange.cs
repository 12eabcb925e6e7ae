namespace Mesh.IstiodLite.Resources;

/// <summary>One object that is not what it was: <see cref="Before"/> is null for a new one, <see cref="After"/> for one that is gone.</summary>
internal readonly record struct ResourceChange(Resource? Before, Resource? After)
{
    public ResourceKey Key => (After ?? Before)!.Key;
}
