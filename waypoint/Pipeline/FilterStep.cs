using System.Text;
using Mesh.Filters;
using Mesh.Waypoint.Filters;
using Mesh.Waypoint.Forwarding;
using Microsoft.AspNetCore.Http;

namespace Mesh.Waypoint.Pipeline;

/// <summary>Filters of other people, in their order; on the way back in the opposite one.</summary>
internal sealed class FilterStep(FilterFolder folder)
{
    public async Task InvokeAsync(HttpContext http, RequestDelegate next)
    {
        var set = folder.Enter();
        try
        {
            if (set.Filters.Count == 0 || await PassesAsync(Exchange.Of(http), set))
                await next(http);
        }
        finally
        {
            set.Leave();
        }
    }

    private async ValueTask<bool> PassesAsync(Exchange exchange, FilterSet set)
    {
        var http = exchange.Http;
        foreach (var filter in set.Filters)
        {
            var request = new FilterRequest(exchange);

            // What is registered last runs first: the opposite order comes by itself.
            http.Response.OnStarting(() => RunOnResponseAsync(exchange, filter, request));
            FilterAnswer? answer;
            try
            {
                answer = await filter.OnRequestAsync(request, http.RequestAborted);
            }
            catch (FilterFailedException e)
            {
                exchange.UpstreamFailure = e.Message;
                if (folder.Options.FailOpen)
                    continue;
                await LocalReply.WriteAsync(exchange, StatusCodes.Status500InternalServerError, string.Empty, $"filter_error{{{e.Filter}}}");
                return false;
            }

            if (answer is null)
                continue;
            foreach (var (name, value) in answer.Headers)
                http.Response.Headers[name] = value;
            await LocalReply.WriteAsync(exchange, answer.Status, Encoding.UTF8.GetBytes(answer.Body), $"filter_answer{{{filter.Name}}}");
            return false;
        }

        return true;
    }

    // The response is the application's by now: a filter that fails here can only be passed over, or the connection cut.
    private Task RunOnResponseAsync(Exchange exchange, LoadedFilter filter, FilterRequest request)
    {
        try
        {
            filter.OnResponse(request, new FilterResponse(exchange.Http.Response));
        }
        catch (FilterFailedException e)
        {
            exchange.UpstreamFailure = e.Message;
            if (!folder.Options.FailOpen)
                exchange.Http.Abort();
        }

        return Task.CompletedTask;
    }
}
