package kurrenttest

import (
	"context"
	"errors"
	"net"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/gossip"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/serverfeatures"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"

	"rolewise/eventstore"
)

// Version is the version of the server that the front behaves like.
const Version = "24.10.0"

func (s *Server) unary(ctx context.Context, request any, _ *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	if _, err := s.authenticate(ctx); err != nil {
		return nil, translateUnary(ctx, err)
	}
	response, err := handler(ctx, request)
	return response, translateUnary(ctx, err)
}

func translateUnary(ctx context.Context, err error) error {
	err = translate(err)
	var f *failure
	if errors.As(err, &f) {
		_ = grpc.SetTrailer(ctx, f.trailers) // fails only outside a call
		return f.status.Err()
	}
	return err
}

// stream lets in who may come in. A refused append is read to its end first, so that the client sees the refusal and not
// a broken pipe.
func (s *Server) stream(service any, call grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
	somebody, err := s.authenticate(call.Context())
	if err == nil && !somebody {
		err = accessDenied()
	}
	if err == nil {
		return answer(call, handler(service, call))
	}
	if info.FullMethod == streams.Streams_Append_FullMethodName {
		discard(call)
	} else {
		_ = call.RecvMsg(new(shared.Empty)) // whatever it is
	}
	return answer(call, err)
}

// discard reads what a client still sends, up to a limit.
func discard(call grpc.ServerStream) {
	for size := 0; size < 2*eventstore.MaxAppend; size += 64 {
		var m streams.AppendReq
		if call.RecvMsg(&m) != nil {
			return
		}
		size += len(m.GetProposedMessage().GetData())
	}
}

// unknownService answers after the first message, so that the client has sent it.
func unknownService(_ any, call grpc.ServerStream) error {
	_ = call.RecvMsg(new(shared.Empty)) // whatever it is
	return fail(codes.Unimplemented, "not offered by this server")
}

type streamsService struct {
	streams.UnimplementedStreamsServer
	server *Server
}

// Append implements the service.
func (s *streamsService) Append(call streams.Streams_AppendServer) error {
	ctx := call.Context()
	met := s.server.faults.meet(Appends)
	p, refused := receive(call)
	if p == nil {
		return refused
	}
	if err := met.before(ctx); err != nil {
		return err
	}
	if s.server.options.readOnly {
		return accessDenied()
	}
	if err := s.server.cluster.leads(s.server); err != nil {
		return err
	}
	if refused != nil {
		return refused
	}
	done, err := s.server.backend.append(ctx, p)
	if err != nil {
		return err
	}
	if err := met.committed(); err != nil {
		return err
	}
	return call.SendAndClose(p.response(done))
}

// Read implements the service.
func (s *streamsService) Read(request *streams.ReadReq, call streams.Streams_ReadServer) error {
	kind := Reads
	if request.GetOptions().GetSubscription() != nil {
		kind = Subscriptions
	}
	met := s.server.faults.meet(kind)
	ctx, done := s.server.running(call.Context())
	defer done()
	if err := met.before(ctx); err != nil {
		return cause(ctx, err)
	}
	if request.GetOptions() == nil {
		return invalid("a read needs options")
	}
	if md, _ := metadata.FromIncomingContext(ctx); len(md.Get("requires-leader")) > 0 && md.Get("requires-leader")[0] == "true" {
		if err := s.server.cluster.leads(s.server); err != nil {
			return err
		}
	}
	r := &reading{
		backend: s.server.backend, ctx: ctx, options: request.Options, out: call, faults: met, strict: s.server.options.strict,
	}
	return cause(ctx, r.run())
}

// cause replaces the error of a call that was cut by why it was.
func cause(ctx context.Context, err error) error {
	if why := context.Cause(ctx); err != nil && why != nil {
		return why
	}
	return err
}

type featuresService struct {
	serverfeatures.UnimplementedServerFeaturesServer
	server *Server
}

// GetSupportedMethods implements the service.
func (s *featuresService) GetSupportedMethods(ctx context.Context, _ *shared.Empty) (*serverfeatures.SupportedMethods, error) {
	if err := s.server.faults.meet(Features).before(ctx); err != nil {
		return nil, err
	}
	const streaming = "event_store.client.streams.streams"
	return &serverfeatures.SupportedMethods{EventStoreServerVersion: Version, Methods: []*serverfeatures.SupportedMethod{
		{ServiceName: streaming, MethodName: "append"},
		{ServiceName: streaming, MethodName: "read", Features: []string{"position", "events"}},
		{ServiceName: "event_store.client.gossip.gossip", MethodName: "read"},
		{ServiceName: "event_store.client.server_features.serverfeatures", MethodName: "getsupportedmethods"},
	}}, nil
}

type gossipService struct {
	gossip.UnimplementedGossipServer
	server *Server
}

// Read implements the service.
func (s *gossipService) Read(ctx context.Context, _ *shared.Empty) (*gossip.ClusterInfo, error) {
	if err := s.server.faults.meet(Gossips).before(ctx); err != nil {
		return nil, err
	}
	return s.server.cluster.gossip(ctx, s.server), nil
}

// member tells where a front is found: at the address that the asking client used, if it listens on all of them.
func (s *Server) member(ctx context.Context, state gossip.MemberInfo_VNodeState) *gossip.MemberInfo {
	host := s.ip.String()
	if p, ok := peer.FromContext(ctx); ok && s.ip.IsUnspecified() {
		if at, ok := p.LocalAddr.(*net.TCPAddr); ok {
			host = at.IP.String()
		}
	}
	return &gossip.MemberInfo{
		InstanceId:   wireID(s.id, true),
		TimeStamp:    ticks(time.Now()),
		State:        state,
		IsAlive:      s.Running(),
		HttpEndPoint: &gossip.EndPoint{Address: host, Port: uint32(s.port)},
	}
}
