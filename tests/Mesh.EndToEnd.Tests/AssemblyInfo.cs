[assembly: System.Runtime.Versioning.SupportedOSPlatform("linux")]

// Each class starts processes by the dozen: one after the other keeps two cores for the mesh under test.
[assembly: CollectionBehavior(DisableTestParallelization = true)]
