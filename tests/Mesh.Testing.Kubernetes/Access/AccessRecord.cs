namespace Mesh.Testing.Kubernetes.Access;

/// <summary>One question of the authorizer: a request that somebody made, as RBAC sees it.</summary>
/// <param name="Resource">Plural, with the subresource after a slash.</param>
/// <param name="Namespace">Empty: all of them, or the kind belongs to the cluster.</param>
/// <param name="Name">Empty: a collection.</param>
public sealed record AccessRecord(string User, string Verb, string Group, string Resource, string Namespace, string Name, bool Allowed)
{
    public override string ToString() => $"{User} {Verb} {(Group.Length == 0 ? Resource : $"{Resource}.{Group}")}{(Name.Length == 0 ? "" : $" {Name}")}{(Namespace.Length == 0 ? "" : $" in {Namespace}")}";
}
