using System.Collections;
using Google.Protobuf;

namespace Mesh.Xds.Wds;

/// <summary>Whether a message came with fields that our .proto files do not have. Protobuf keeps them without showing them; a copy without them is smaller.</summary>
internal static class UnknownFields
{
    public static bool Anywhere(IMessage message) => Bare(message).CalculateSize() != message.CalculateSize();

    /// <summary>Of this message itself; those of the messages in it do not count.</summary>
    public static bool In(IMessage message)
    {
        if (!Anywhere(message))
            return false;
        var own = message.Descriptor.Parser.ParseFrom(message.ToByteString());
        foreach (var field in message.Descriptor.Fields.InFieldNumberOrder())
        {
            if (field.FieldType != Google.Protobuf.Reflection.FieldType.Message)
                continue;
            if (field.Accessor.GetValue(own) is IList items)
            {
                for (var i = 0; i < items.Count; i++)
                    items[i] = Bare((IMessage)items[i]!);
            }
            else if (field.Accessor.GetValue(own) is IMessage single)
            {
                field.Accessor.SetValue(own, Bare(single));
            }
        }

        return Anywhere(own);
    }

    public static T Without<T>(T message)
        where T : IMessage => (T)Bare(message);

    private static IMessage Bare(IMessage message) => message.Descriptor.Parser.WithDiscardUnknownFields(true).ParseFrom(message.ToByteString());
}
